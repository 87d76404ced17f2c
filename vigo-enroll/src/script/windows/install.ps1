# A folder that only the system and administrators may write to, and without a service this user.
function New-Folder([string]$Path, [bool]$IsPublic) {
  $access = New-Object -TypeName Security.AccessControl.DirectorySecurity
  $access.SetAccessRuleProtection($true, $false)
  $full = @('S-1-5-18', 'S-1-5-32-544')
  if ($NoService) { $full += [Security.Principal.WindowsIdentity]::GetCurrent().User.Value }
  $grants = @($full | ForEach-Object { @{ Who = $_; Right = 'FullControl' } })
  if ($IsPublic) { $grants += @{ Who = 'S-1-5-32-545'; Right = 'ReadAndExecute' } }
  foreach ($grant in $grants) {
    $who = New-Object -TypeName Security.Principal.SecurityIdentifier -ArgumentList $grant.Who
    $rule = New-Object -TypeName Security.AccessControl.FileSystemAccessRule -ArgumentList @(
      $who, $grant.Right, 'ContainerInherit, ObjectInherit', 'None', 'Allow'
    )
    $access.AddAccessRule($rule)
  }
  try {
    if ($isDesktop) {
      [void][IO.Directory]::CreateDirectory($Path, $access)
    } else {
      $folder = New-Object -TypeName IO.DirectoryInfo -ArgumentList $Path
      [IO.FileSystemAclExtensions]::Create($folder, $access)
    }
  } catch {
    Stop-Run 1 "not_writable: $Path cannot be created: $(@(Get-Causes $_.Exception)[-1].Message)" `
      'run this as an administrator, or pass -BinDir DIR'
  }
}

# A field of an answer as text; nothing where it is not there.
function Get-Field($Answer, [string]$Name) {
  $field = $Answer.PSObject.Properties[$Name]
  if ($field -and $null -ne $field.Value) { [string]$field.Value } else { '' }
}

# What the server has for this machine: a version, a size, a SHA-256, and what is signed about it.
function Get-Latest([string]$Arch) {
  $file = Join-Path -Path $run.Stage -ChildPath 'latest'
  $status = Receive-File "/api/v1/agent/latest?os=windows&arch=$Arch" $file 65536 'application/json'
  $text = [IO.File]::ReadAllText($file)
  $answer = try { ConvertFrom-Json -InputObject $text } catch { $null }
  if ($status -eq 404 -and $text -clike '*no_agent*') {
    Stop-Run 3 "no_agent: the server has no agent for windows-$Arch" 'put one into its agents directory'
  }
  if ($status -eq 404 -and $text -clike '*agent_unsigned*') {
    Stop-Run 4 "agent_unsigned: the server's agent for windows-$Arch has no signature by a key that it knows" `
      'sign it (cargo xtask sign). Nothing was changed'
  }
  if ($status -ne 200 -or $answer -isnot [Management.Automation.PSCustomObject]) {
    Stop-Run 1 "bad_answer: the server's answer is not what it should be (status $status)" `
      "nothing was changed; is $($carried.ApiAddr) a Vigo server?"
  }
  $latest = @{}
  foreach ($name in 'version', 'size', 'sha256', 'manifest', 'signature', 'signing_key') {
    $latest[$name] = Get-Field $answer $name
  }
  if ($latest.version -cnotmatch '\A[A-Za-z0-9.+-]{1,64}\z') { $latest.version = 'unknown' }
  if ($latest.size -cnotmatch '\A[1-9][0-9]{0,8}\z' -or [long]$latest.size -gt $maxSize) {
    Stop-Run 1 'bad_answer: the server announces an agent of no sensible size' 'nothing was changed'
  }
  if ($latest.sha256 -cnotmatch '\A[0-9a-f]{64}\z') {
    Stop-Run 1 'bad_answer: the server announces an agent without a SHA-256' 'nothing was changed'
  }
  $isSigned = $latest.manifest -cmatch '\A[A-Za-z0-9+/]{1,2048}={0,2}\z' -and
    $latest.signature -cmatch '\A[A-Za-z0-9+/]{86}==\z' -and $latest.signing_key -cmatch '\A[0-9a-f]{64}\z'
  if ($SigningPin -and -not $isSigned) {
    Stop-Run 4 "agent_unsigned: the server has no signed agent for windows-$Arch, and -SigningPin asks for one" `
      'sign it (cargo xtask sign), or leave -SigningPin out. Nothing was changed'
  }
  $latest
}

# Pin, key, signature, manifest, file: the agent does the same of itself; what is not it does not.
function Confirm-Signature($Latest, [string]$Arch, [string]$Actual, [string]$Program) {
  $type = '@TYPE@' -as [type]
  [byte[]]$key = @(0..31 | ForEach-Object { [Convert]::ToByte($Latest.signing_key.Substring(2 * $_, 2), 16) })
  [byte[]]$manifest = [Convert]::FromBase64String($Latest.manifest)
  [byte[]]$signature = [Convert]::FromBase64String($Latest.signature)
  $pin = $type::PinOfSigningKey($key)
  $signed = @{ product = ''; os = ''; arch = ''; sha256 = '' }
  $lines = [Text.Encoding]::ASCII.GetString($manifest) -split "`n"
  foreach ($line in $lines) {
    $word, $value = $line -split ' ', 2
    if ($signed.ContainsKey($word)) { $signed[$word] = $value }
  }
  $expected = "vigo/agent/v1 vigo windows $Arch $Actual"
  $found = "$($lines[0]) $($signed.product) $($signed.os) $($signed.arch) $($signed.sha256)"
  if ($pin -cne $SigningPin) {
    $what = "pin_mismatch: the agent is signed by another key than -SigningPin says: expected $SigningPin, found $pin"
  } elseif (-not $type::HasSigned($key, $manifest, $signature)) {
    $what = 'signature_mismatch: the key of -SigningPin did not sign what the server says of its agent'
  } elseif ($found -cne $expected) {
    $what = "signature_mismatch: another agent was signed than the one that was fetched: expected $expected, found $found"
  } else {
    return
  }
  Remove-Item -LiteralPath $Program -Force
  Stop-Run 4 $what 'the agent was removed and nothing was changed. Is this the server that you meant?'
}

# Runs the agent, which says the rest; gives its exit code. The token goes by standard input: no argument, no
# environment.
function Invoke-Agent([string]$Program, [string[]]$Arguments, [string]$Secret) {
  # A byte order mark would go before the token where the console's encoding has one.
  if ([Console]::InputEncoding.GetPreamble().Length -gt 0) {
    $run.Encoding = [Console]::InputEncoding
    [Console]::InputEncoding = New-Object -TypeName Text.UTF8Encoding -ArgumentList $false
  }
  $type = '@TYPE@' -as [type]
  $start = New-Object -TypeName Diagnostics.ProcessStartInfo
  $start.FileName = $Program
  $start.Arguments = $type::CommandLine($Arguments)
  $start.UseShellExecute = $false
  $start.RedirectStandardInput = $true
  # Elsewhere, as in a remote session, nobody sees what a program writes by itself.
  $isConsole = $Host.Name -eq 'ConsoleHost'
  $start.RedirectStandardOutput = -not $isConsole
  $start.RedirectStandardError = -not $isConsole
  $process = [Diagnostics.Process]::Start($start)
  try {
    try {
      if ($Secret) {
        $bytes = [Text.Encoding]::ASCII.GetBytes("$Secret`n")
        $process.StandardInput.BaseStream.Write($bytes, 0, $bytes.Length)
      }
      $process.StandardInput.Close()
    } catch [IO.IOException] {
      # It ended without reading: its exit code and its own words tell why.
    }
    if (-not $isConsole) {
      $said = $process.StandardOutput.ReadToEndAsync()
      $told = $process.StandardError.ReadToEndAsync()
      Write-Host ($said.GetAwaiter().GetResult())
      $Host.UI.WriteErrorLine($told.GetAwaiter().GetResult())
    }
    $process.WaitForExit()
    $process.ExitCode
  } finally {
    $process.Dispose()
  }
}
